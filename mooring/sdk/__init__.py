"""What bots of the Moobius SDK expect beyond what every service has. docs/moobius.md says what is here and what is not."""
