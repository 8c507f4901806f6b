"""WSMan and PSRP as a Windows host serves them: bytes in, bytes out, and the HTTP listener at the edge."""
