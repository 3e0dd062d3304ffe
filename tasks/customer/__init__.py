"""The customer's command line. Loads neither Prefect nor boto3."""
