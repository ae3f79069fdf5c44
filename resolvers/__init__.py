"""Who may do what: one use case a function, without GraphQL and HTTP."""
