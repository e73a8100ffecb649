"""The mesh's and the network's policies: manifests, as pure functions of the access model."""
