import AnnealGraph

extension Symbol {
    /// The number of convolutions with a bias in a network without any norm: exporters fold batch norm into
    /// convolutions. 0 for a network with norms, and for a small one, which may never have had any.
    package var foldedConvolutions: Int {
        let operations = nodes.compactMap(\.operation)
        guard !operations.contains(where: { $0.hasSuffix("Norm") }) else { return 0 }
        let biased = nodes.count { (try? $0.op as? Convolution)?.noBias == false }
        return biased < 8 ? 0 : biased
    }
}
