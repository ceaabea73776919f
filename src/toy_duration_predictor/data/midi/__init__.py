"""MIDI files to songs."""
