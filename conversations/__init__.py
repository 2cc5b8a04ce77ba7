"""What is said: conversations, messages, replies, the inbox. The doorways through which leads and answers come."""
