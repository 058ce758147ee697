"""What bytes are before they are a document: archives and encodings."""
