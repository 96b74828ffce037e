"""Operations on Redis, as values, and the drivers that run them. The only package that talks to Redis."""
