"""python3 start.py SCRIPT [ARGUMENT ...]: prints as JSON what `answer` of the script gives for the arguments.

Runs in the system's Python, which has QGIS, and not in the environment of the hub.
"""

import json
import os
import runpy
import sys

from qgis.core import QgsApplication

application = QgsApplication([], False)
application.initQgis()
found = runpy.run_path(sys.argv[1])["answer"](*sys.argv[2:])
print(json.dumps(found), flush=True)
os._exit(0)  # QGIS takes itself down in an order that sometimes ends in a fault
