import AnnealCore
import AnnealTrain
import Foundation
import Testing

@Suite struct InitializerTests {
    private func statistics(_ values: [Float]) -> (mean: Double, deviation: Double, largest: Double) {
        let numbers = values.map(Double.init), mean = numbers.reduce(0, +) / Double(numbers.count)
        let square = numbers.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(numbers.count)
        return (mean, square.squareRoot(), numbers.map(abs).max() ?? 0)
    }

    /// An initializer, with the expected deviation and bound of its values.
    struct Spread: Sendable {
        let name: String
        let deviation: Double
        var bound: Double?
    }

    @Test(arguments: [
        // fan_in is 576, fan_out 1152, their average 864.
        Spread(name: "xavier", deviation: 0.034020690, bound: 0.058925565),
        Spread(name: "msraprelu", deviation: 0.046676003),
        Spread(name: "uniform", deviation: 0.040414518, bound: 0.07),
        Spread(name: "normal", deviation: 0.01),
    ]) func spread(_ spread: Spread) throws {
        let values = try Initializers.make(spread.name).parameter("a_weight", [128, 64, 3, 3], seed: 5)
        let found = statistics(values.elements)
        #expect(abs(found.mean) < 5 * spread.deviation / Double(values.count).squareRoot())
        #expect(abs(found.deviation / spread.deviation - 1) < 0.01)
        if let bound = spread.bound { #expect(found.largest < bound * 1.000001 && found.largest > 0.99 * bound) }
    }

    @Test func ofTheScripts() throws {
        func make(_ network: String?) throws -> any Initializer { try Initializers.fit(network: network) }
        #expect((try make("alexnet") as? Normal)?.sigma == 0.01)
        #expect((try make("vgg") as? Xavier)?.distribution == .uniform)
        let xavier = try #require(try make("resnet") as? Xavier)
        #expect(xavier.distribution == .gaussian && xavier.factor == .fanIn && xavier.magnitude == 2)
        #expect(try Initializers.fit("msra", network: "alexnet") is MSRAPrelu)
        #expect(throws: AnnealError.self) { try Initializers.fit("lecun", network: nil) }
    }

    /// A parameter's values depend only on the seed and its name.
    @Test func dependsOnSeedAndNameOnly() throws {
        let xavier = Xavier()
        let first = try xavier.parameter("a_weight", [4, 5], seed: 1)
        #expect(try xavier.parameter("a_weight", [4, 5], seed: 1) == first)
        #expect(try xavier.parameter("b_weight", [4, 5], seed: 1) != first)
        #expect(try xavier.parameter("a_weight", [4, 5], seed: 2) != first)
    }

    @Test(arguments: [Shape([20, 10, 3, 1]), [30, 8], [7, 7]]) func orthogonal(_ shape: Shape) throws {
        for options: NamedOptions in [["scale": 2], ["scale": 2, "rand_type": "normal"]] {
            let weight = try Initializers.make("orthogonal", options).parameter("a_weight", shape, seed: 3)
            let rows = shape[0], columns = shape.count / rows
            let wide = rows <= columns, count = min(rows, columns)
            func element(_ i: Int, _ j: Int) -> Double {
                Double(wide ? weight.elements[i * columns + j] : weight.elements[j * columns + i])
            }
            for a in 0..<count {
                for b in 0...a {
                    let product = (0..<max(rows, columns)).reduce(0) { $0 + element(a, $1) * element(b, $1) }
                    #expect(abs(product - (a == b ? 4 : 0)) < 1e-5)
                }
            }
        }
    }

    /// A convolution with Dirac weights passes its input on in its first channels.
    @Test func dirac() throws {
        var random = Random(seed: 1, purpose: .initialize, name: "conv_weight")
        let wide = try Dirac().weight("conv_weight", [5, 3, 3, 3], &random)
        for channel in 0..<3 {
            for i in 0..<27 { #expect(wide.elements[channel * 27 + i] == (i == channel * 9 + 4 ? 1 : 0)) }
        }
        let rest = wide.elements[81...], bound = Float(1 / 27.0.squareRoot())
        #expect(rest.allSatisfy { abs($0) <= bound } && Set(rest).count > 50)
        let dense = try Dirac().weight("fc_weight", [10, 256], &random)
        #expect(dense.elements.allSatisfy { abs($0) <= 1.0 / 16 } && dense.elements.contains { abs($0) > 0.05 })
    }

    @Test func byName() throws {
        let one = One()
        for (name, value) in [
            ("a_weight", 1), ("a_bias", 0), ("a_gamma", 1), ("a_beta", 0), ("a_moving_mean", 0), ("a_moving_var", 1),
        ] { #expect(try one.parameter(name, [2], seed: 0).elements == [Float(value), Float(value)], "\(name)") }
        #expect(throws: AnnealError.self) { try one.parameter("data", [2], seed: 0) }
    }

    @Test func byAttribute() throws {
        func values(_ json: String) throws -> [Float] {
            try Zero().parameter("a_bias", [4], attributes: ["__init__": json], seed: 0).elements
        }
        #expect(try values(#"["constant", {"value": 2.5}]"#) == [2.5, 2.5, 2.5, 2.5])
        #expect(try values(#"["constant", {"value": [1, 2, 3, 4]}]"#) == [1, 2, 3, 4])
        #expect(try values(#"["lstmbias", {"forget_bias": 3}]"#) == [0, 3, 0, 0])
        #expect(try values(#"["One", {}]"#) == [1, 1, 1, 1])
        for bad in ["[", "{}", #"["magic", {}]"#, #"["zero", {"x": 1}]"#, #"["constant", {"value": [1]}, 3]"#, "[3]"] {
            #expect(throws: AnnealError.self) { try values(bad) }
        }
        // Xavier does not support vectors.
        #expect(throws: AnnealError.self) { try values(#"["xavier", {}]"#) }
    }

    @Test func mixedAndLoad() throws {
        let mixed = try Mixed([("fc", Constant(2)), (".*", One())])
        #expect(try mixed.parameter("fc_weight", [1], seed: 0).elements == [2])
        #expect(try mixed.parameter("my_fc_weight", [1], seed: 0).elements == [1])
        #expect(try mixed.parameter("fc_bias", [1], seed: 0).elements == [0])
        #expect(throws: AnnealError.self) { try Mixed([("(", One())]) }
        #expect(throws: AnnealError.self) { try Mixed([("fc", One())]).parameter("conv_weight", [1], seed: 0) }

        let load = Load(["arg:a_weight": Tensor([1], [7])], rest: One())
        #expect(try load.parameter("a_weight", [1], seed: 0).elements == [7])
        #expect(try load.parameter("b_weight", [1], seed: 0).elements == [1])
        #expect(throws: AnnealError.self) { try load.parameter("a_weight", [2], seed: 0) }
        #expect(throws: AnnealError.self) { try Load([:]).parameter("b_weight", [1], seed: 0) }
    }

    @Test func bilinear() throws {
        let weight = try Bilinear().parameter("up_weight", [1, 1, 4, 4], seed: 0)
        let row: [Float] = [0.25, 0.75, 0.75, 0.25]
        #expect(weight.elements == row.flatMap { a in row.map { a * $0 } })
        #expect(throws: AnnealError.self) { try Bilinear().parameter("up_weight", [4], seed: 0) }
    }
}
