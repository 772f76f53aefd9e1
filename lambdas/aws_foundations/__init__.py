"""What of the foundations runs in Lambda; the service itself is services/aws_foundations."""
