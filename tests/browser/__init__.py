"""The dashboard as people use it: in Chromium, on a real server, with real workers."""
