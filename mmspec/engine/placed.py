"""The network of a stage, built, filled and put where it runs."""

from __future__ import annotations

import attrs

from mmspec.data.loader import Placement
from mmspec.engine.placement import Autocast, autocast, place_for, put
from mmspec.graph.network import FusedNetwork, Shapes, build_network, infer_shapes, initialise
from mmspec.plugins.plan import NetworkPlan


@attrs.frozen(eq=False)
class PlacedNetwork:
    """A network at `place`; `remarks` are what there is to say of the weights that it starts from."""

    network: FusedNetwork
    place: Placement
    shapes: Shapes
    autocast: Autocast
    remarks: tuple[str, ...]


def place_network(plan: NetworkPlan, seed: int) -> PlacedNetwork:
    """Build the network of a stage for the run's seed.

    Raises:
        GraphError: parts do not fit together, or the device is not there.
        DataError: weights that a backbone names cannot be read.
    """
    train, shapes = plan.spec.train, infer_shapes(plan)
    place = place_for(train)
    network = build_network(plan, shapes, seed)
    remarks = initialise(plan, network)
    put(network, place)
    return PlacedNetwork(network, place, shapes, autocast(place, train.precision, network), remarks)
