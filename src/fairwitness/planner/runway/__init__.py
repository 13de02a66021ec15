"""Cash over months: users, what they pay and cost, and the two events that end the question."""
