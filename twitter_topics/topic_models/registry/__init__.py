"""Topic model versions on S3, and the pointer to the champion."""
