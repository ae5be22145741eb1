import Anneal
import ArgumentParser
import Foundation

// Options are decoded by the parser; encoding them again gives the flags in force, to be written down with a run.
extension ArgumentParser.Option: @retroactive Encodable where Value: Encodable {
    public func encode(to encoder: any Encoder) throws { try wrappedValue.encode(to: encoder) }
}

extension ArgumentParser.Flag: @retroactive Encodable where Value: Encodable {
    public func encode(to encoder: any Encoder) throws { try wrappedValue.encode(to: encoder) }
}

extension ArgumentParser.OptionGroup: @retroactive Encodable where Value: Encodable {
    public func encode(to encoder: any Encoder) throws { try wrappedValue.encode(to: encoder) }
}

/// The value of every flag of a command, by its long name without the dashes; flags that have none are left out.
func flagsInForce(_ command: some ParsableCommand & Encodable) throws -> [String: JSONValue] {
    let encoder = JSONEncoder()
    // Flags that are no numbers are refused where they are used.
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    guard case .object(let object) = try JSONDecoder().decode(JSONValue.self, from: encoder.encode(command))
    else { return [:] }
    return flattened(object)
}

private func flattened(_ object: [String: JSONValue]) -> [String: JSONValue] {
    object.reduce(into: [:]) { result, item in
        switch item.value {
        case .object(let group): result.merge(flattened(group)) { first, _ in first }
        case .null, .array([]): break
        default: result[longName(item.key)] = item.value
        }
    }
}

/// `lrStepEpochs` is --lr-step-epochs, as the parser has it.
private func longName(_ property: String) -> String {
    property.reduce(into: "") { name, letter in
        if letter.isUppercase { name += "-" }
        name += letter.lowercased()
    }
}
