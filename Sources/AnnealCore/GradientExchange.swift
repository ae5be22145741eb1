/// How accelerators that share a batch add up their gradients.
public enum GradientExchange: String, Sendable, CaseIterable {
    /// Every device gets all shards' gradients and adds them in a binary tree over the shards: the bits do not depend on the
    /// number of devices.
    case tree
    /// By the all-reduce of the plugin, which moves less; the bits depend on the number of devices.
    case allReduce = "all-reduce"
}
