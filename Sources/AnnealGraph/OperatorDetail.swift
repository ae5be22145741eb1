/// An operator's attributes in the few words of MXNet's `plot_network`: `3x3/2, 64` for a convolution.
extension Operator {
    package var detail: String {
        switch self {
        case let op as Convolution:
            "\(op.window.words), \(op.numFilter)" + (op.numGroup > 1 ? ", \(op.numGroup) groups" : "")
        case let op as Deconvolution:
            "\(op.window.words), \(op.numFilter)" + (op.numGroup > 1 ? ", \(op.numGroup) groups" : "")
        case let op as FullyConnected: "\(op.numHidden)"
        case let op as Pooling: op.words
        case let op as Activation: op.kind.rawValue
        case let op as LeakyReLU: op.kind.rawValue
        case let op as Dropout: "\(op.p)"
        case let op as Cast: op.dtype.rawValue
        default: ""
        }
    }
}

/// `3x3`, or `2` for an extent that all axes share where `short` is set.
private func product(_ extents: [Int], short: Bool = false) -> String {
    if short, let first = extents.first, extents.allSatisfy({ $0 == first }) { return "\(first)" }
    return extents.map(String.init).joined(separator: "x")
}

extension Window {
    fileprivate var words: String { "\(product(kernel))/\(product(stride, short: true))" }
}

extension Pooling {
    fileprivate var words: String {
        guard !globalPool, let kernel else { return "\(kind.rawValue), global" }
        return "\(kind.rawValue), \(product(kernel))/\(stride.map { product($0, short: true) } ?? "1")"
    }
}
