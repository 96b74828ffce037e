"""What RQ had and Workhorse does otherwise: old words, and modules where RQ's are."""
