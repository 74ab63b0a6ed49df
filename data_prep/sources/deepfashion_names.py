"""The names of DeepFashion In-shop's photos, which projects spell in three ways.

img/WOMEN/Dresses/id_00000055/02_1_front.jpg    as downloaded, NTED, PIDM
fashionWOMENDressesid0000005502_1front.jpg      PATN and its followers
fasionWOMENDressesid0000005502_1front.jpg       pose-gan, and PG2's authors
"""

import re

_DOWNLOADED = re.compile(r"(?:.*/)?((?:WO)?MEN)/([^/]+)/(id_\d+)/([^/_]+)_([^/]+)")


def flat_name(name: str) -> str:
    """Returns PATN's spelling of a name as downloaded, and any other name itself."""
    match = _DOWNLOADED.fullmatch(name)
    if not match:
        return name
    gender, category, person, item, view = match.groups()
    person, view = person.replace("_", ""), view.replace("_", "")
    return f"fashion{gender}{category}{person}{item}_{view}"


def simplify(name: str) -> str:
    """Returns what the three spellings of a name have in common."""
    return re.sub(r"^fash?ion", "", flat_name(name))


def identity(name: str) -> str:
    """Returns the person with the outfit, which is what the field pairs photos by."""
    flat = re.sub("^fasion", "fashion", flat_name(name))
    return flat.rsplit("_", 1)[0]
