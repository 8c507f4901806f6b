"""One simulated Windows device: its state machine, its clock, its installation and its deployment."""
