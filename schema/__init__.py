"""The GraphQL API: types, inputs and roots, and the application that serves them."""
