"""The hands that touch DynamoDB: what lies there, how it is written, how it is listed."""
