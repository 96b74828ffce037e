"""Operations on Redis, as values, and the drivers that run them. Nothing else talks to Redis."""
