"""Validates YAML files by a JSON Schema: SCHEMA FILE...  Prints a JSON object, name to list of faults."""
import json
import sys

import jsonschema
import yaml

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)


def faults(name):
    with open(name, encoding="utf-8") as file:
        try:
            documents = list(yaml.load_all(file, yaml.SafeLoader))
        except yaml.YAMLError as error:
            return [f"no YAML: {error}"]
    if len(documents) > 1:
        return ["several documents"]
    document = documents[0] if documents else None
    return [error.message[:200] for error in validator.iter_errors(document)]


json.dump({name: faults(name) for name in sys.argv[2:]}, sys.stdout)
