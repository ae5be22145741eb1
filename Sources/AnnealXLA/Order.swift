/// Channels-last and plain order of axes.
package enum Order {
    /// For each axis of the channels-last array, the axis of the plain one.
    package static func axes(_ rank: Int) -> [Int] {
        rank < 3 ? Array(0..<rank) : [0] + Array(2..<rank) + [1]
    }

    /// The position of a plain array's axis in the channels-last one.
    package static func place(of axis: Int, rank: Int) -> Int {
        rank < 3 || axis == 0 ? axis : axis == 1 ? rank - 1 : axis - 1
    }

    static func channelsLast(_ dims: [Int]) -> [Int] { axes(dims.count).map { dims[$0] } }
    static func channelsLast(_ value: HLOValue) -> HLOValue { value.transposed(axes(value.rank)) }
    static func plain(_ value: HLOValue) -> HLOValue {
        value.transposed((0..<value.rank).map { place(of: $0, rank: value.rank) })
    }
}
