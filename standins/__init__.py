"""Stand-ins for other people's servers, for demo and tests: PostgreSQL, cloud storage, brokers, a mail server.

No part of the product, and in no image.
"""
