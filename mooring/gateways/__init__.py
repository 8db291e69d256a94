"""What the framework does for every gateway, so that a gateway knows its network and nothing else.

`from mooring import ...` has the names for authors of gateways.
"""
