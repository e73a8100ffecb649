"""The world outside the cluster, as far as the lab needs one: a stand-in for every host that is declared."""
