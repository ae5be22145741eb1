/// Derives layers' names from the names that exporters give nodes and constants.
enum ImportNames {
    /// The name of the layer that a node becomes.
    /// - Parameter weight: the constant that it reads as its weight, if any.
    static func layer(_ node: ONNXFile.Node, weight: String?) -> String {
        if let weight, let stem = stem(ofWeight: weight) { return stem }
        return path(node.name, type: node.type) ?? node.type.lowercased()
    }

    /// `layer1.0.conv1` for `layer1.0.conv1.weight` or `stage1_conv1_weight`.
    private static func stem(ofWeight name: String) -> String? {
        for ending in [".weight", "_weight", ".gamma", "_gamma"] where name.hasSuffix(ending) {
            let stem = name.dropLast(ending.count)
            return stem.isEmpty ? nil : String(stem)
        }
        return nil
    }

    /// `layer1.0.conv1` for torch's `/layer1/layer1.0/conv1/Conv`; nil if nothing is left.
    private static func path(_ name: String, type: String) -> String? {
        guard name.contains("/") else { return name.isEmpty ? nil : name }
        var parts = name.split(separator: "/")
        // Torch numbers the operators of a layer that has several.
        if let last = parts.last, last.hasPrefix(type), parts.count > 1 {
            let number = last.dropFirst(type.count)
            if number.isEmpty || number.hasPrefix("_") && number.dropFirst().allSatisfy(\.isNumber) {
                parts[parts.count - 1] = number.dropFirst()
            }
        }
        let kept = parts.enumerated().filter { index, part in
            !part.isEmpty && !(index + 1 < parts.count && parts[index + 1].hasPrefix(part + "."))
        }
        return kept.isEmpty ? nil : kept.map(\.element).joined(separator: ".")
    }

    /// The last part of a constant's name: `position` for `encoder/position`.
    static func constant(_ name: String) -> String {
        let last = name.split { $0 == "/" || $0 == "." || $0 == ":" }.last.map(String.init) ?? ""
        return last.contains { $0.isLetter } ? last : "constant"
    }
}
