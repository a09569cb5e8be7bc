"""The compiled passes that find loops: cones, shapes, clusters, and the order of steps."""
