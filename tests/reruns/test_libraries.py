"""What of a lock file is for this Python and this platform."""

import sys

from sengu.reruns import libraries

LOCK = f"""\
ada==1.0 \\
    --hash=sha256:0
bea[extra]==2.1 ; python_full_version < '3.{sys.version_info.minor + 1}' \\
    --hash=sha256:0
bea[extra]==2.2 ; python_full_version >= '3.{sys.version_info.minor + 1}' \\
    --hash=sha256:0
cleo==3.0 ; sys_platform == 'nowhere' \\
    --hash=sha256:0
    # via ada==9
Dora_x==4 ; sys_platform == '{sys.platform}'
"""


def test_a_package_that_is_pinned_twice_has_the_version_of_this_python() -> None:
    assert libraries.versions(LOCK) == {"ada": "1.0", "bea": "2.1", "dora-x": "4"}
