"""The constructs that every blueprint is made of. One public class a file, the file named after it."""
