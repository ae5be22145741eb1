/// How accelerators that share a batch add up their gradients.
public enum GradientExchange: String, Sendable, CaseIterable {
    /// Every device receives all shards' gradients and adds them in a binary tree over the shards: the bits do not
    /// depend on the number of devices.
    case tree
    /// The plugin's own all-reduce, which moves less data; the bits depend on the number of devices.
    case allReduce = "all-reduce"
}
