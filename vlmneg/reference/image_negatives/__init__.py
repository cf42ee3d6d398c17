"""Twins of csrc/negatives/image_draw.c and of its edits, one module an edit."""
