"""Speed, side by side with the peers: ``python -m bench PART``. Every published figure comes from here."""
