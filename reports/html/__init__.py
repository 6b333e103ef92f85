"""Results as one self-contained HTML page: no server, no network, no build step."""
