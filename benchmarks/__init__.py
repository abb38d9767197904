"""How fast Picojoule is and what memory it takes, beside a net of ReLUs and other libraries."""
