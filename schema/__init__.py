"""What a client sees: GraphQL types, inputs and roots, and the application that serves them."""
