"""`deploy/kubernetes` against the schemas of the API and of KEDA."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml

FOLDER = Path(__file__).parents[2] / "deploy/kubernetes"
FILES = sorted(p for p in FOLDER.rglob("*.yaml") if p.name != "kustomization.yaml")
ALL = [d for p in FILES for d in yaml.safe_load_all(p.read_text()) if d]


@pytest.mark.parametrize("document", [d for d in ALL if "keda.sh" not in d["apiVersion"]])
def test_it_fits_the_schema_of_the_api(document):
    kubernetes_validate.validate(document, "1.37", strict=True)


def an_object(required, **properties):
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


TEXT, COUNT, YES_OR_NO = {"type": "string"}, {"type": "integer", "minimum": 0}, {"enum": ["true", "false"]}
NUMBER_AS_TEXT = {"type": "string", "pattern": "^[0-9]+$"}
RULES = an_object(
    [],
    stabilizationWindowSeconds={"type": "integer", "minimum": 0, "maximum": 3600},
    selectPolicy={"enum": ["Max", "Min", "Disabled"]},
    policies={
        "type": "array",
        "items": an_object(
            ["type", "value", "periodSeconds"],
            type={"enum": ["Percent", "Pods"]},
            value={"type": "integer", "minimum": 1},
            periodSeconds={"type": "integer", "minimum": 1, "maximum": 1800},
        ),
    },
)
REDIS_TRIGGER = an_object(
    ["type", "metadata"],
    type={"const": "redis"},
    name=TEXT,
    authenticationRef=an_object(["name"], name=TEXT, kind={"enum": ["TriggerAuthentication"]}),
    metadata=an_object(
        ["listName", "listLength"],
        address=TEXT,
        listName=TEXT,
        listLength=NUMBER_AS_TEXT,
        activationListLength=NUMBER_AS_TEXT,
        databaseIndex=NUMBER_AS_TEXT,
        enableTLS=YES_OR_NO,
        unsafeSsl=YES_OR_NO,
    ),
)
KEDA = {  # the fields of keda.sh/v1alpha1 as KEDA's reference describes them, of the scaler `redis` alone
    "ScaledObject": an_object(
        ["scaleTargetRef", "triggers"],
        scaleTargetRef=an_object(["name"], name=TEXT, apiVersion=TEXT, kind=TEXT, envSourceContainerName=TEXT),
        pollingInterval=COUNT,
        cooldownPeriod=COUNT,
        initialCooldownPeriod=COUNT,
        idleReplicaCount={"const": 0},
        minReplicaCount=COUNT,
        maxReplicaCount=COUNT,
        fallback=an_object(["failureThreshold", "replicas"], failureThreshold=COUNT, replicas=COUNT),
        advanced=an_object(
            [],
            restoreToOriginalReplicaCount={"type": "boolean"},
            horizontalPodAutoscalerConfig=an_object(
                [], name=TEXT, behavior=an_object([], scaleUp=RULES, scaleDown=RULES)
            ),
        ),
        triggers={"type": "array", "items": REDIS_TRIGGER, "minItems": 1},
    ),
    "TriggerAuthentication": an_object(
        ["secretTargetRef"],
        secretTargetRef={
            "type": "array",
            "items": an_object(
                ["parameter", "name", "key"],
                parameter={"enum": ["address", "username", "password", "tls", "ca", "cert", "key", "keyPassword"]},
                name=TEXT,
                key=TEXT,
            ),
        },
    ),
}


@pytest.mark.parametrize("document", [d for d in ALL if d["kind"] in KEDA])
def test_it_fits_what_keda_knows(document):
    whole = an_object(
        ["apiVersion", "kind", "metadata", "spec"],
        apiVersion={"const": "keda.sh/v1alpha1"},
        kind=TEXT,
        metadata=an_object(["name", "namespace"], name=TEXT, namespace=TEXT),
        spec=KEDA[document["kind"]],
    )
    jsonschema.validate(document, whole)


@pytest.mark.parametrize("document", ALL)
def test_a_misspelt_field_would_be_noticed(document):
    within = next(key for key in ("spec", "metadata") if key in document)
    field = [*document[within]][-1]
    misspelt = document | {within: {(name + "x" if name == field else name): v for name, v in document[within].items()}}
    with pytest.raises((jsonschema.ValidationError, kubernetes_validate.ValidationError)):
        (test_it_fits_what_keda_knows if document["kind"] in KEDA else test_it_fits_the_schema_of_the_api)(misspelt)


LABELS_AND_SUCH = {
    "app.kubernetes.io/name",
    "app.kubernetes.io/component",
    "k8s-app",
    "kubernetes.io/metadata.name",
    "nvidia.com/gpu.present",
    "pod-security.kubernetes.io/enforce",
    "prometheus.io/scrape",
    "prometheus.io/port",
}
AMOUNTS = {"cpu", "memory", "ephemeral-storage", "storage", "nvidia.com/gpu"}


def keys_of(value, *names):
    """The keys of all maps of these names, however deep: to the schemas any key is right there."""
    if isinstance(value, list):
        return {key for each in value for key in keys_of(each, *names)}
    if not isinstance(value, dict):
        return set()
    deeper = {key for each in value.values() for key in keys_of(each, *names)}
    return deeper | {key for name in names if isinstance(value.get(name), dict) for key in value[name]}


@pytest.mark.parametrize("document", ALL)
def test_a_name_that_no_schema_knows_is_one_of_ours(document):
    assert keys_of(document, "labels", "annotations", "matchLabels", "nodeSelector") <= LABELS_AND_SUCH
    assert keys_of(document, "requests", "limits") <= AMOUNTS
