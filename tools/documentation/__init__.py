"""What writes the generated parts of the documents, and what checks them."""
