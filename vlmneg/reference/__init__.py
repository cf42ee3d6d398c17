"""NumPy float64 twins of the C core: slow, plain, the oracle of its tests. Imports NumPy and nothing of vlmneg."""
