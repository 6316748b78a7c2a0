"""Versions of topic models on S3, and which of them is the champion."""
