import Anneal
import ArgumentParser
import Foundation

// The parser decodes options; encoding them again gives the flags in force, which are recorded with a run.
extension ArgumentParser.Option: @retroactive Encodable where Value: Encodable {
    public func encode(to encoder: any Encoder) throws { try wrappedValue.encode(to: encoder) }
}

extension ArgumentParser.Flag: @retroactive Encodable where Value: Encodable {
    public func encode(to encoder: any Encoder) throws { try wrappedValue.encode(to: encoder) }
}

extension ArgumentParser.OptionGroup: @retroactive Encodable where Value: Encodable {
    public func encode(to encoder: any Encoder) throws { try wrappedValue.encode(to: encoder) }
}

/// The value of every flag of a command, by its long name without dashes; flags without a value are omitted.
func flagsInForce(_ command: some ParsableCommand & Encodable) throws -> [String: JSONValue] {
    let encoder = JSONEncoder()
    // Values that are not numbers are refused where they are used.
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

/// `lrStepEpochs` is --lr-step-epochs, as in the parser.
private func longName(_ property: String) -> String {
    property.reduce(into: "") { name, letter in
        if letter.isUppercase { name += "-" }
        name += letter.lowercased()
    }
}
