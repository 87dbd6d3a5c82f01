class Depths:
    def add(self, update): return 1
