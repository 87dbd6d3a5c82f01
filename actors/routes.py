from __future__ import annotations
class Routes:
    def __init__(self, bound, host): pass
