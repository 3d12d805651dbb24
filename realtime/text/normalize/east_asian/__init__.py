"""What Chinese, Japanese and Korean share."""
