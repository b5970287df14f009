"""ADWIN on the losses: a window that drops its old part when the newer part's mean is greater (see watch/adwin.py)."""

from homeostat.watch.adwin import Adwin
from homeostat.watch.detector import DetectorKind

DETECTOR = DetectorKind(name="adwin", takes="losses", make=Adwin)
