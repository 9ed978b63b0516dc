"""The facts of a version -> croissant.json: MLCommons Croissant 1.1 with RAI and PROV fields, all computed.

Specification: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html and croissant-rai-spec.html. `publish` adds the
pictures; in data/dataset/<version> the document describes the tables, which are beside it.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sengu.base.tables.versions import LABELS, MODELS, Version
from sengu.datasets.facts import SUBJECTS, Facts

NAME = "croissant.json"
CONFORMS = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
UNSTATED = "not stated"
NAMES = {"raw": "raw agreement", "alpha": "Krippendorff's alpha", "ac1": "Gwet's AC1"}
BY_MODELS = "labelled_by_models"
MEDIA_TYPES = {"jpg": "image/jpeg", "tif": "image/tiff"} | {
    name: f"image/{name}" for name in ("png", "gif", "webp", "bmp", "avif")
}
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "prov": "http://www.w3.org/ns/prov#",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def document(version: Version, facts: Facts, folder: Path, pictures: Sequence[str] = ()) -> str:
    """The document of a version whose tables lie in `folder`.

    With `pictures`, patterns such as `images/*.jpg`, the pictures are a part of the dataset, in a record set of their own.
    """
    project = facts.project
    files = [_file(folder / LABELS, "objectId and value of each picture")]
    sets = [_classes(version), _labels()]
    if (folder / SUBJECTS).is_file():
        files.append(_file(folder / SUBJECTS, "objectId and subject, where it is known of whom or what a picture is"))
        sets.append(_subjects())
    if (folder / MODELS).is_file():
        files.append(_file(folder / MODELS, "objectId of each picture labelled by a model, not by a person"))
        sets.append(_by_models())
    if pictures:
        files.append(_pictures(pictures))
        sets.append(_images())
    value: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": version.version,
        "description": facts.description or facts.purpose or f"{version.rows} pictures of {', '.join(version.classes)}",
        "conformsTo": CONFORMS,
        "version": facts.semver,
        "datePublished": _date(version, facts),
        "license": project.get("licence") or UNSTATED,
        "url": project.get("repository") or f"urn:sengu:{version.version}",
        "citeAs": project.get("citation") or f"{project.get('name') or version.version}, version {facts.semver}",
        "creator": {"@type": "sc:Organization", "name": project.get("contact") or project.get("name") or UNSTATED},
        "keywords": sorted(version.classes),
        "distribution": files,
        "recordSet": sets,
        **_responsible(version, facts),
        **_provenance(version, facts),
    }
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _date(version: Version, facts: Facts) -> str:
    """The day of the latest label or picture, independent of the clock."""
    return str(max(facts.words["labelled_last"], facts.fetched["last"], "1970-01-01"))[:10]


def _file(path: Path, description: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "description": description,
        "contentUrl": path.name,
        "encodingFormat": "text/csv",
        "contentSize": f"{path.stat().st_size} B",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def _pictures(patterns: Sequence[str]) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": "pictures",
        "name": "pictures",
        "description": "the pictures; the name of a file is its object id",
        "encodingFormat": sorted(MEDIA_TYPES.get(pattern.rpartition(".")[2], "image/*") for pattern in patterns),
        "includes": list(patterns),
    }


def _field(record_set: str, name: str, kind: str, description: str, source: dict[str, Any] | None = None) -> dict[str, Any]:
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{record_set}/{name}",
        "name": name,
        "description": description,
        "dataType": kind,
    }
    return field | ({"source": source} if source else {})


def _column(file: str, name: str) -> dict[str, Any]:
    return {"fileObject": {"@id": file}, "extract": {"column": name}}


def _classes(version: Version) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "classes",
        "name": "classes",
        "description": "the class of each value",
        "dataType": "sc:Enumeration",
        "key": {"@id": "classes/value"},
        "field": [
            _field("classes", "value", "sc:Integer", "the number of the class"),
            _field("classes", "name", "sc:Text", "the name of the class"),
        ],
        "data": [{"classes/value": value, "classes/name": name} for value, name in enumerate(version.classes)],
    }


def _labels() -> dict[str, Any]:
    value = _field("labels", "value", "sc:Integer", "the number of its class", _column(LABELS, "value"))
    return {
        "@type": "cr:RecordSet",
        "@id": "labels",
        "name": "labels",
        "description": "one record for each labelled picture",
        "key": {"@id": "labels/objectId"},
        "field": [
            _field(
                "labels", "objectId", "sc:Text", "SHA-1 of the picture's bytes and its extension", _column(LABELS, "objectId")
            ),
            value | {"references": {"field": {"@id": "classes/value"}}},
        ],
    }


def _images() -> dict[str, Any]:
    name = {"fileSet": {"@id": "pictures"}, "extract": {"fileProperty": "filename"}}
    content = {"fileSet": {"@id": "pictures"}, "extract": {"fileProperty": "content"}}
    return {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "description": "the pictures by object id, which is that of labels",
        "key": {"@id": "images/objectId"},
        "field": [
            _field("images", "objectId", "sc:Text", "the name of the file, which is the object id", name),
            _field("images", "picture", "sc:ImageObject", "the picture", content),
        ],
    }


def _subjects() -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "subjects",
        "name": "subjects",
        "description": "of whom or what a picture is, where it is known",
        "field": [
            _field("subjects", "objectId", "sc:Text", "the picture", _column(SUBJECTS, "objectId")),
            _field("subjects", "subject", "sc:Text", "a person, patient, specimen or series", _column(SUBJECTS, "subject")),
        ],
    }


def _by_models() -> dict[str, Any]:
    what = "the pictures labelled by a model, not by a person: not for validation or test"
    field = _field(BY_MODELS, "objectId", "sc:Text", "the picture", _column(MODELS, "objectId"))
    return {"@type": "cr:RecordSet", "@id": BY_MODELS, "name": BY_MODELS, "description": what, "field": [field]}


def _responsible(version: Version, facts: Facts) -> dict[str, Any]:
    """RAI fields, from what the tables say."""
    words, counts = facts.words, facts.counts
    sites = ", ".join(f"{site or 'unknown'} ({sum(by_label.values())})" for site, by_label in counts["by_site"].items())
    devices = ", ".join(f"{device or 'unknown'} ({count})" for device, count in counts["by_device"].items())
    shares = ", ".join(f"{name} {int(version.rows_by_value[str(value)])}" for value, name in enumerate(version.classes))
    how = ", ".join(f"{name} ({count})" for name, count in words["by_how"].items() if name)
    dates = [date[:10] for date in (facts.fetched["first"], facts.fetched["last"]) if date]
    rules = f"Rules of SHA-256 {words['rules']} (labels/RULES.md). " if words["rules"] else ""
    steps = [f"{step['step']}: {step['before']} to {step['after']} pictures" for step in facts.steps]
    fields: dict[str, Any] = {
        "rai:dataCollection": f"Pictures archived from these sites, as they were served: {sites}. Taken by: {devices}.",
        "rai:dataCollectionType": ["Web Scraping"],
        "rai:dataCollectionTimeFrame": dates,
        "rai:dataAnnotationProtocol": [f"{rules}One class for each picture: {', '.join(version.classes)}."],
        "rai:dataAnnotationAnalysis": [_agreement(words)],
        "rai:annotationsPerItem": f"at least one; {words['annotators'] or 'an unknown number of'} annotators or sheets in all",
        "rai:dataPreprocessingProtocol": steps or ["None: every label is kept."],
        "rai:dataUseCases": [facts.purpose or UNSTATED],
        "rai:dataBiases": [f"Pictures by class: {shares}. Pictures by site: {sites}."],
        "rai:dataLimitations": ["Labels hold for these sites, devices and times; nothing is known of others."],
        "rai:personalSensitiveInformation": [
            "Subjects are known of some pictures." if counts.get("subjects") else "Not looked for; pictures may show people."
        ],
        "rai:dataReleaseMaintenancePlan": "A version does not change; a correction makes another version.",
    }
    if how:
        fields["rai:machineAnnotationTools"] = [f"How labels came about: {how}."]
    return fields


def _agreement(words: dict[str, Any]) -> str:
    measured = [
        f"On {numbers['all']['pictures']} pictures of {version} that several labelled blind: "
        + ", ".join(f"{NAMES[name]} {_estimate(numbers['all'][name])}" for name in NAMES)
        for version, numbers in words["agreement"].items()
    ]
    return ". ".join(measured) or "Agreement was not measured: no picture was labelled blind by several annotators."


def _estimate(number: dict[str, Any]) -> str:
    return f"undefined ({number['why']})" if number.get("why") else f"{number['value']} ({number['low']} to {number['high']})"


def _provenance(version: Version, facts: Facts) -> dict[str, Any]:
    """PROV fields: what it was derived from, and by what."""
    parents = [{"@type": "prov:Entity", "@id": f"version:{p['version']}@{p['semver']}#md5={p[LABELS]}"} for p in facts.lineage]
    words = facts.words
    labels = {"@type": "prov:Entity", "@id": f"labels:{words['rules'] or 'without-rules'}"}
    activity = {"@type": "prov:Activity", "@id": f"recipe:{version.version}", "description": " ".join(facts.recipe["command"])}
    return {"prov:wasDerivedFrom": parents or [labels], "prov:wasGeneratedBy": activity}
