// Per lane, which slices of the stationary tiles are not zero, of both banks and of every member's chunk (docs/ioss/README.md, Work;
// docs/ioss/reference.md, Tile stream).
//
// The map is kept per lane because a job's out_mask decides which lanes keep a slice pair alive: that makes the skip decision exact. It is
// kept once a member, as all rows of a member hold the same chunk. It is read with the clock, as an SRAM is, at the address that the vector
// stream will stand at in the next cycle: what is addressed is there without a wait.
module ioss_map #(
  parameter int Rows = 8,
  parameter int Lanes = 16,
  parameter int Depth = 128,
  parameter int TileSwW = 6,  // bits of a superword number of the tile
  parameter int VecSwW = 2    // of a vector
) (
  input  logic clk_i,
  input  logic rst_ni,

  input  logic wr_en_i,
  input  logic wr_bank_i,
  input  logic [2:0]         wr_member_i,
  input  logic [TileSwW-1:0] wr_sw_i,
  input  logic [trainslice_pkg::Groups-1:0] wr_we_i,
  input  logic [trainslice_pkg::BeatW-1:0]  wr_nz_i,

  // What is read in the next cycle
  input  logic next_bank_i,
  input  logic [2:0]        next_member_i,
  input  logic [VecSwW-1:0] next_sw_i,

  // Elements of one superword of a vector, reduced over the live lanes; plane j (32 bits) is slice j
  input  logic [Lanes-1:0]                 mask_i,
  output logic [trainslice_pkg::BeatW-1:0] map_o
);
  localparam int Values = trainslice_pkg::BeatValues;
  localparam int GroupValues = trainslice_pkg::GroupValues;
  localparam int Slices = trainslice_pkg::MaxSlices;
  localparam int BeatW = trainslice_pkg::BeatW;
  localparam int KRows = Values / Lanes;       // elements of a superword of the tile
  localparam int KW = $clog2(Depth);
  localparam int Members = (Rows < 8) ? Rows : 8;
  localparam int Words = 2 * Members << VecSwW;
  localparam int AddrW = $clog2(Words);

  function automatic logic [AddrW-1:0] word(input logic bank, input logic [2:0] member, input logic [VecSwW-1:0] sw);
    return AddrW'((bank ? Members << VecSwW : 0) + (32'(member) << VecSwW) + 32'(sw));
  endfunction

  // Element of a tile superword s, row r: k = s * KRows + r; it sits in map word k / 32 at bit k % 32 of each plane.
  logic [KW-1:0]    wr_k;
  logic [AddrW-1:0] wr_addr, next_addr, addr_q;
  assign wr_k      = KW'(wr_sw_i) << $clog2(KRows);
  assign wr_addr   = word(wr_bank_i, wr_member_i, VecSwW'(wr_k >> 5));
  assign next_addr = word(next_bank_i, next_member_i, next_sw_i);

  // A beat that is written to the word that is read goes around the memory, and the word is read once more.
  logic             fwd_q;
  logic [4:0]       fwd_at_q;
  logic [trainslice_pkg::Groups-1:0] fwd_we_q;
  logic [BeatW-1:0] fwd_nz_q;
  logic             rd_en;
  assign rd_en = fwd_q || next_addr != addr_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      addr_q   <= '0;
      fwd_q    <= 1'b0;
      fwd_at_q <= '0;
      fwd_we_q <= '0;
      fwd_nz_q <= '0;
    end else begin
      addr_q <= next_addr;
      fwd_q  <= wr_en_i && wr_addr == next_addr;
      if (wr_en_i) begin
        fwd_at_q <= wr_k[4:0];
        fwd_we_q <= wr_we_i;
        fwd_nz_q <= wr_nz_i;
      end
    end
  end

  // A lane's word with the beat that went into it last.
  function automatic logic [BeatW-1:0] around(input logic [BeatW-1:0] old, input logic [BeatW-1:0] nz,
                                              input logic [trainslice_pkg::Groups-1:0] we,
                                              input logic [4:0] at, input int l);
    logic [BeatW-1:0] found;
    found = old;
    for (int r = 0; r < KRows; r++) begin
      for (int j = 0; j < Slices; j++) begin
        if (we[(r * Lanes + l) / GroupValues]) found[Values * j + 32'(at) + r] = nz[Values * j + r * Lanes + l];
      end
    end
    return found;
  endfunction

  logic [BeatW-1:0] lane_map [Lanes];
  for (genvar l = 0; l < Lanes; l++) begin : gen_lane
    logic [BeatW-1:0] mem_q [Words];
    logic [BeatW-1:0] read_q;
    always_ff @(posedge clk_i) begin
      if (rd_en) read_q <= mem_q[next_addr];
      if (wr_en_i) begin
        for (int r = 0; r < KRows; r++) begin
          for (int j = 0; j < Slices; j++) begin
            if (wr_we_i[(r * Lanes + l) / GroupValues]) begin
              mem_q[wr_addr][Values * j + 32'(wr_k[4:0]) + r] <= wr_nz_i[Values * j + r * Lanes + l];
            end
          end
        end
      end
    end

    assign lane_map[l] = fwd_q ? around(read_q, fwd_nz_q, fwd_we_q, fwd_at_q, l) : read_q;
  end

  always_comb begin : p_map
    logic [BeatW-1:0] live;
    live = '0;
    for (int l = 0; l < Lanes; l++) begin
      if (!mask_i[l]) live = live | lane_map[l];
    end
    map_o = live;
  end
endmodule
