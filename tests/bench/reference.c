/* What this machine can do: the kernels of `formulas.py` by hand, in AVX-512 intrinsics.
 *
 * Mathematical functions are inlined, within some 4 ulp, and only for the arguments that the
 * kernels have: no infinities or NaN, no subnormal numbers, sines of |x| < 1e5, positive arguments
 * of log, pow and atan2's second. TURNS vectors are computed op by op in turns; -DSINGLE makes it
 * float. `scale*` are what memory allows: a product of a sum of one to three streams.
 */
#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#ifdef SINGLE
typedef float real;
typedef __m512 V;
#define LANES 16
#define DIGITS 23
#define INT(name) _mm512_##name##_epi32
#define OF(name) _mm512_##name##_ps
#define BITS(x) _mm512_castps_si512(x)
#define REAL(x) _mm512_castsi512_ps(x)
#define STORE_BEHIND(p, x) _mm512_stream_ps(p, x)
#define COMPARE(a, b, how) _mm512_cmp_ps_mask(a, b, how)
#define TEST(a, b) _mm512_test_epi32_mask(a, b)
#else
typedef double real;
typedef __m512d V;
#define LANES 8
#define DIGITS 52
#define INT(name) _mm512_##name##_epi64
#define OF(name) _mm512_##name##_pd
#define BITS(x) _mm512_castpd_si512(x)
#define REAL(x) _mm512_castsi512_pd(x)
#define STORE_BEHIND(p, x) _mm512_stream_pd(p, x)
#define COMPARE(a, b, how) _mm512_cmp_pd_mask(a, b, how)
#define TEST(a, b) _mm512_test_epi64_mask(a, b)
#endif
typedef __m512i I;
#define MAGIC ((real)1.5 * (real)(1ll << DIGITS))
#define STEP (LANES * TURNS)
#define SPLAT(x) OF(set1)((real)(x))
#define LN2_INVERSE 1.4426950408889634
#define PI_INVERSE 0.3183098861837907

#ifdef SINGLE
static const real EXP16[] = {
    0.5000161528587341, 0.166667178273201};
static const real POWERS16[] = {
    1.0, 0.9908868670463562, 0.9827538728713989, 0.9756442904472351, 0.9696035385131836,
    0.9646788835525513, 0.9609197974205017, 0.9583777785301208, 0.9571067690849304,
    0.9571630954742432, 0.9586054086685181, 0.9614951610565186, 0.9658964276313782,
    0.9718760848045349, 0.9795040488243103, 0.9888532757759094};
static const real EXP[] = {
    0.5, 0.1666666716337204, 0.04166632518172264, 0.008333220146596432, 0.0013943241210654378,
    0.0001996235514525324};
static const real LN2[] = {
    0.6931471824645996, -1.9046542121259336e-09};
static const real PI[] = {
    3.1415927410125732, -8.742790669202805e-08, 5.126688136514179e-12};
static const real SIN[] = {
    -0.16666655242443085, 0.008332189172506332, -0.00019518293265718967};
static const real COS[] = {
    0.04166664555668831, -0.0013887309469282627, 2.4432318241451867e-05};
static const real SIN_WIDE[] = {
    -0.16666659712791443, 0.008333069272339344, -0.00019809776858892292, 2.606094540169579e-06};
static const real LOG[] = {
    -0.4999990165233612, 0.33333152532577515, -0.2510727047920227, 0.2044505476951599};
static const real LOG_CUBE[] = {
    0.3333446979522705, -0.2501894235610962, 0.19052621722221375};
static const real LOGC_HIGH[] = {
    0.0, 0.0984344482421875, 0.1335296630859375, 0.2076416015625, 0.246856689453125,
    0.287689208984375, 0.3302459716796875, 0.37469482421875, -0.2719268798828125,
    -0.22314453125, -0.171844482421875, -0.171844482421875, -0.1177825927734375,
    -0.0606231689453125, -0.0606231689453125, 0.0};
static const real LOGC_LOW[] = {
    0.0, 5.624571258522337e-06, 1.72953855326341e-06, -2.236784212072962e-06,
    3.388478489796398e-06, -7.136532531148987e-06, -4.284809165255865e-06,
    -1.3747772982242168e-06, -6.835600743215764e-06, 9.799357485462679e-07,
    -5.774504643341061e-06, -5.774504643341061e-06, -4.428829356584174e-07,
    -1.452871174478787e-06, -1.452871174478787e-06, 0.0};
static const real LN2_SHORT[] = {
    0.693145751953125, 1.428606765330187e-06};
static const real ATAN[] = {
    -0.33333325386047363, 0.19977068901062012};
#define ERF_STEP 0.265625
#define ERF_TERMS 6
static const real ERF[][16] = {
    {
        0.0, 0.2928232252597809, 0.5475284457206726, 0.7402369976043701, 0.867058277130127,
        0.9396533370018005, 0.975797712802887, 0.991450309753418, 0.9973459839820862,
        0.9992774128913879, 0.9998276829719543, 0.9999640583992004, 0.9999934434890747,
        0.9999989867210388, 0.9999998807907104, 1.0},
    {
        1.128379225730896, 1.0515083074569702, 0.850913941860199, 0.5979623198509216,
        0.36490291357040405, 0.19337309896945953, 0.08898772299289703, 0.035561442375183105,
        0.012340818531811237, 0.003718980820849538, 0.0009732387843541801,
        0.00022117218759376556, 4.364731285022572e-05, 7.479984560632147e-06,
        1.1131675137221464e-06, 0.0},
    {
        -1.3912594113207888e-05, -0.2792994976043701, -0.4520394802093506,
        -0.4764975905418396, -0.38771116733551025, -0.25682756304740906,
        -0.14182695746421814, -0.06612289696931839, -0.026223929598927498,
        -0.008890144526958466, -0.0025847936049103737, -0.0006460633594542742,
        -0.00013906335516367108, -2.581138141977135e-05, -4.135368726565503e-06, 0.0},
    {
        -0.3756113648414612, -0.30103665590286255, -0.12354051321744919,
        0.05381348356604576, 0.1529884934425354, 0.16293811798095703, 0.12102783471345901,
        0.07011189311742783, 0.033038102090358734, 0.012929806485772133,
        0.004253228195011616, 0.0011849123984575272, 0.0002810115402098745,
        5.6940174545161426e-05, 9.884230166790076e-06, 0.0},
    {
        -0.006064052693545818, 0.13196833431720734, 0.18221190571784973,
        0.13684004545211792, 0.048239219933748245, -0.022002307698130608,
        -0.048749834299087524, -0.04301539808511734, -0.02640838921070099,
        -0.012573626823723316, -0.004843146074563265, -0.0015419077826663852,
        -0.00041089492151513696, -9.240257350029424e-05, -1.763431828294415e-05, 0.0},
    {
        0.13475103676319122, 0.07564587146043777, -0.0016567587153986096,
        -0.059270232915878296, -0.06583797186613083, -0.03686700761318207,
        -0.005174141377210617, 0.010871813632547855, 0.012429120019078255,
        0.008072792552411556, 0.0038347255904227495, 0.0014331056736409664,
        0.0004353536060079932, 0.00010945169924525544, 2.3027410861686803e-05, 0.0},
};
#else
static const real EXP16[] = {
    0.499999999999996, 0.16666666664406335, 0.04166666669322354, 0.008333472223085715,
    0.0013888596991359992};
static const real POWERS16[] = {
    1.0, 0.9908868912137069, 0.9827538663326288, 0.9756443173783458, 0.9696035575013605,
    0.964678906036742, 0.9609197773255048, 0.9583777734684463, 0.9571067811865476,
    0.9571630729697497, 0.9586054127039704, 0.9614951659746271, 0.9658964152537145,
    0.9718760801866497, 0.9795040432046712, 0.9888532806985737};
static const real EXP[] = {
    0.5000000000000007, 0.16666666666666696, 0.04166666666656219, 0.00833333333329311,
    0.0013888888936256002, 0.00019841269987230442, 2.480149965752221e-05, 2.755711659198387e-06,
    2.7628269308750275e-07, 2.5161460896973756e-08};
static const real LN2[] = {
    0.6931471805599453, 2.3190468138462996e-17};
static const real PI[] = {
    3.141592653589793, 1.224646798818428e-16, 3.2892513872648515e-26};
static const real SIN[] = {
    -0.1666666666666663, 0.00833333333332184, -0.00019841269829358148, 2.755731353822525e-06,
    -2.505073431906459e-08, 1.5895427824295096e-10};
static const real COS[] = {
    0.041666666666666595, -0.0013888888888873342, 2.4801587289001358e-05,
    -2.7557314216567296e-07, 2.087570529498393e-09, -1.1358742139298563e-11};
static const real SIN_WIDE[] = {
    -0.16666666666666666, 0.008333333333333208, -0.0001984126984121248, 2.7557319211569342e-06,
    -2.5052106904382357e-08, 1.6058940998153828e-10, -7.643019191875951e-13,
    2.7214167510394506e-15};
static const real LOG[] = {
    -0.49999999999999284, 0.3333333333333156, -0.2500000000423655, 0.20000000026709294,
    -0.16666659945115203, 0.14285648559411646, -0.12503780482481505, 0.11158903472120912,
    -0.09390531934839379};
static const real LOG_CUBE[] = {
    0.3333333333334844, -0.2500000000077449, 0.19999999935943094, -0.16666664017247917,
    0.14285777877437267, -0.12502915409850102, 0.11105369733765884, -0.0898251544466701};
static const real LOGC_HIGH[] = {
    0.0, 0.09844007281299127, 0.13353139262471814, 0.2076393647785153, 0.24686007793116005,
    0.2876820724513891, 0.330241686870977, 0.3746934494411107, -0.27193371548401046,
    -0.22314355131402408, -0.17185025692651834, -0.17185025692651834, -0.11778303565643,
    -0.06062462181671435, -0.06062462181671435, 0.0};
static const real LOGC_LOW[] = {
    0.0, 2.6124491647247346e-13, -1.9551393909415374e-13, -2.707990980384746e-13,
    3.657488373208597e-13, 3.918237769963822e-13, -4.001352063965439e-13,
    2.9997833694248845e-13, 3.687042831583768e-13, -1.856757095979601e-13,
    -1.4088127937111135e-13, -1.4088127937111135e-13, 4.654729747598445e-14,
    2.795098818345971e-13, 2.795098818345971e-13, 0.0};
static const real LN2_SHORT[] = {
    0.6931471805601177, -1.7239444525614835e-13};
static const real ATAN[] = {
    -0.33333333333332066, 0.19999999989645556, -0.1428568799010568, 0.11084789665387758};
#define ERF_STEP 0.40625
#define ERF_TERMS 13
static const real ERF[][16] = {
    {
        0.0, 0.4343869111338239, 0.749464025586362, 0.9152150038717323, 0.9784437332399837,
        0.995929182294753, 0.9994334567454198, 0.9999422129760188, 0.9999956972205363,
        0.9999997668041688, 0.9999999908210709, 0.9999999997380418, 0.9999999999945866,
        0.9999999999999191, 0.9999999999999991, 1.0},
    {
        1.1283791670955126, 0.9567082194595097, 0.5831131597762823, 0.2554906857827882,
        0.08047225902251122, 0.018220748170204, 0.002965753900136671,
        0.00034701872224900587, 2.9189025383590332e-05, 1.7649612458182073e-06,
        7.671841912414174e-08, 2.3972482379634046e-09, 5.384870490533083e-11,
        8.695336808401219e-13, 1.0093608269471627e-14, 0.0},
    {
        1.8249284375588047e-14, -0.388662714155422, -0.47377944231823144,
        -0.31137927329777426, -0.13076742091157958, -0.03701089472072685,
        -0.00722902513158339, -0.0009868344913955959, -9.486433249664044e-05,
        -6.453139555021958e-06, -3.116685776933513e-07, -1.0712703063727906e-08,
        -2.6251243644510877e-10, -4.592224753680687e-12, -5.740739709218974e-14, 0.0},
    {
        -0.3761263890354276, -0.21363992140326232, 0.06225947799636894, 0.1678320976274463,
        0.11484061964666838, 0.044045337210760434, 0.010758581205488697,
        0.0017552008158714034, 0.00019580971194235625, 1.5141207248679284e-05,
        8.185295917624804e-07, 3.111584522022503e-08, 8.352158608661447e-10,
        1.587861410208946e-11, 2.143052032116142e-13, 0.0},
    {
        2.754625791208325e-10, 0.17294984708553582, 0.13263356783744062,
        0.0015204066079100111, -0.04971886315945343, -0.032396580697777094,
        -0.010702345800242053, -0.0021667313296071756, -0.00028656933775029515,
        -2.5528972983421758e-05, -1.5587487068529057e-06, -6.595356553255817e-08,
        -1.9483345048692076e-09, -4.03987232011953e-11, -5.902946030241169e-13, 0.0},
    {
        0.11283790586814932, 0.03598762636991871, -0.061783752834260734,
        -0.05109082762561164, -0.002134924832692388, 0.013108620683804464,
        0.007207212784978544, 0.0019380966394007613, 0.00031379722661938774,
        3.279376108648787e-05, 2.287407729057132e-06, 1.0855722767464347e-07,
        3.5486854577452017e-09, 8.057858826485168e-11, 1.2786237770440928e-12, 0.0},
    {
        2.4899832961148097e-07, -0.05099328345685308, -0.018635851791654383,
        0.0203502069122208, 0.01441478117889378, -0.00023654040120111642,
        -0.0030019015188767015, -0.0012593590841576488, -0.00026352850421218466,
        -3.3159670163526295e-05, -2.681865044598609e-06, -1.4411743362247377e-07,
        -5.247059332935376e-09, -1.3107896961547572e-10, -2.266648132518752e-12, 0.0},
    {
        -0.026869737875802338, -0.0026496275200545466, 0.01903658796670739,
        0.005078259605695684, -0.006184262181009501, -0.0029838247411720364,
        0.0003746076551240777, 0.0005617779452648734, 0.00016999132099528431,
        2.6831951660258004e-05, 2.5682616624429767e-06, 1.5816154000950536e-07,
        6.463650026255355e-09, 1.7861419491184805e-10, 3.3792727387115994e-12, 0.0},
    {
        3.2852227021928664e-05, 0.011196224291563571, 0.00012659582093296038,
        -0.005908037830715711, -0.0005765284600640304, 0.0015659107006890467,
        0.000414988766437878, -0.00012952639383703154, -8.16476306438389e-05,
        -1.7420438977213367e-05, -2.0337012395575963e-06, -1.4581292529803874e-07,
        -6.753122233482694e-09, -2.0773379419179937e-10, -4.319045480919718e-12, 0.0},
    {
        0.005029277246163695, -0.0004952304209580621, -0.0037240439781015514,
        0.0006122679355983065, 0.0014107122994007457, -0.00012654639512624545,
        -0.00029765464182253756, -2.739198281764642e-05, 2.591761647137802e-05,
        8.937690251022185e-06, 1.3364560242811618e-06, 1.13989655971916e-07,
        6.0521835680275635e-09, 2.0863515574357462e-10, 4.78548313503344e-12, 0.0},
    {
        0.0007191147700723235, -0.0019498554158895985, 0.0005824572761772176,
        0.0009009803726636755, -0.0003558798105895997, -0.00022697417458719899,
        7.130838360107186e-05, 3.860769209859189e-05, -2.3288664002053614e-06,
        -3.43866857990667e-06, -7.244572490299958e-07, -7.598346150878886e-08,
        -4.70290104328218e-09, -1.8357900027152123e-10, -4.680266626397543e-12, 0.0},
    {
        -0.0023695625370903375, 0.00021859905990826318, 0.0005161526860803554,
        -0.0002923792229377932, -0.00012620420694572934, 0.00010259947999484869,
        1.765852871033908e-05, -1.5269791824789018e-05, -2.9373532735184437e-06,
        8.058828743594399e-07, 3.1912242239364677e-07, 4.418497095166052e-08,
        3.3108798572744803e-09, 1.5049387400768837e-10, 4.369935656061462e-12, 0.0},
    {
        0.0014278898141010688, 0.0002749916489805444, -0.00015498099480613705,
        -7.555836092813597e-05, 8.633971277376228e-05, -3.4438479406954563e-07,
        -1.7614806018873008e-05, 1.3607277409690383e-06, 1.9044868639194026e-06,
        2.921681790534285e-08, -1.0415243883472408e-07, -2.0957621840309163e-08,
        -1.9367342978161645e-09, -1.0247476615588496e-10, -3.361298499299862e-12, 0.0},
};
#endif
static const real RECIPROCAL16[] = {
    1.0, 0.90625, 0.875, 0.8125, 0.78125, 0.75, 0.71875, 0.6875, 1.3125, 1.25, 1.1875, 1.1875,
    1.125, 1.0625, 1.0625, 1.0};
static const real LOGC[] = {
    0.0, 0.09844007281325252, 0.13353139262452263, 0.2076393647782445, 0.24686007793152578,
    0.2876820724517809, 0.33024168687057687, 0.3746934494414107, -0.27193371548364176,
    -0.22314355131420976, -0.17185025692665923, -0.17185025692665923, -0.11778303565638346,
    -0.06062462181643484, -0.06062462181643484, 0.0};
static const real ATAN16[] = {
    0.0, 0.06241880999595735, 0.12435499454676144, 0.18534794999569476, 0.24497866312686414,
    0.3028848683749714, 0.35877067027057225, 0.4124104415973873, 0.4636476090008061,
    0.5123894603107377, 0.5585993153435624, 0.6022873461349642, 0.6435011087932844,
    0.6823165548747481, 0.7188299996216245, 0.7531512809621944};

/* The vectors of a pass. */
typedef struct { V v[TURNS]; } W;
typedef struct { I v[TURNS]; } N;
#define TURN for (int k = 0; k < TURNS; k++)
#define EACH(value) ({ W w_; TURN w_.v[k] = (value); w_; })
#define EACH_INT(value) ({ N n_; TURN n_.v[k] = (value); n_; })
/* What comes next is not joined with it into one fma. */
#define APART(w) TURN __asm__("" : "+v"((w).v[k]))

INLINE W same(real a) { return EACH(SPLAT(a)); }
INLINE W add(W a, W b) { return EACH(a.v[k] + b.v[k]); }
INLINE W sub(W a, W b) { return EACH(a.v[k] - b.v[k]); }
INLINE W mul(W a, W b) { return EACH(a.v[k] * b.v[k]); }
INLINE W quotient(W a, W b) { return EACH(a.v[k] / b.v[k]); }
INLINE W neg(W a) { return EACH(-a.v[k]); }
INLINE W root(W a) { return EACH(OF(sqrt)(a.v[k])); }
INLINE W madd(W a, W b, W c) { return EACH(OF(fmadd)(a.v[k], b.v[k], c.v[k])); }
INLINE W fms(W a, W b, W c) { return EACH(OF(fmsub)(a.v[k], b.v[k], c.v[k])); }
INLINE W fnma(W a, W b, W c) { return EACH(OF(fnmadd)(a.v[k], b.v[k], c.v[k])); }
INLINE W scaled(W a, real b, W c) { return EACH(OF(fmadd)(a.v[k], SPLAT(b), c.v[k])); }
INLINE W magnitude(W a) { return EACH(OF(abs)(a.v[k])); }
INLINE N bits(W a) { return EACH_INT(BITS(a.v[k])); }
INLINE N left(N a, int n) { return EACH_INT(INT(slli)(a.v[k], n)); }
INLINE N right(N a, int n) { return EACH_INT(INT(srli)(a.v[k], n)); }
/* a, negated where `sign` has the sign bit */
INLINE W flip(W a, N sign) {
    return EACH(REAL(INT(ternarylogic)(BITS(a.v[k]), sign.v[k], BITS(SPLAT(-0.0)), 0x78)));
}
/* a * 2**n, n in the low bits, and to 1 / 2**shift of n */
INLINE W power(W a, N n, int shift) {
    return EACH(REAL(INT(add)(BITS(a.v[k]), INT(slli)(n.v[k], DIGITS - shift))));
}
/* x * scale as an integer, in the low bits and, less MAGIC, as a number */
INLINE W nearest(W x, real scale) { return scaled(x, scale, same(MAGIC)); }
INLINE W looked_up(const real *table, N index) {
#ifdef SINGLE
    return EACH(_mm512_permutexvar_ps(index.v[k], _mm512_loadu_ps(table)));
#else
    return EACH(_mm512_permutex2var_pd(_mm512_loadu_pd(table), index.v[k],
                                       _mm512_loadu_pd(table + 8)));
#endif
}
INLINE W series(W x, const real *c, int count) {
    W total = same(c[count - 1]);
    for (int i = count - 2; i >= 0; i--) total = madd(total, x, same(c[i]));
    return total;
}
INLINE W by_pairs(W x, const real *c, int count) { /* shorter chains, one product more */
    W x2 = mul(x, x), total = same(c[count - 1]);
    int i = count - 2;
    if (count % 2 == 0) total = scaled(x, c[count - 1], same(c[count - 2])), i--;
    for (; i > 0; i -= 2) total = madd(total, x2, scaled(x, c[i], same(c[i - 1])));
    return total;
}
#define COUNT(c) (int)(sizeof(c) / sizeof *(c))

/* exp(x) by sixteenths: the table lacks what the bits of n bring along */
INLINE W exp_of(W shifted, W r) {
    W part = madd(mul(r, r), series(r, EXP16, COUNT(EXP16)), r);
    W p = power(looked_up(POWERS16, bits(shifted)), bits(shifted), 4);
    return madd(p, part, p);
}
INLINE W v_exp(W x) {
    W shifted = nearest(x, 16 * LN2_INVERSE), n = sub(shifted, same(MAGIC));
    return exp_of(shifted, scaled(n, -LN2[1] / 16, scaled(n, -LN2[0] / 16, x)));
}
/* exp(r) - 1, x = n log(2) + r */
INLINE W exp_part(W x, W *shifted) {
    *shifted = nearest(x, LN2_INVERSE);
    W n = sub(*shifted, same(MAGIC));
    W r = scaled(n, -LN2[1], scaled(n, -LN2[0], x));
    return madd(mul(r, r), by_pairs(r, EXP, COUNT(EXP)), r);
}
INLINE W v_tanh(W x) {
    W a = magnitude(x), shifted;
    a = EACH(OF(min)(a.v[k], SPLAT(LANES == 8 ? 20 : 10)));
    W part = exp_part(add(a, a), &shifted), p = power(same(1), bits(shifted), 0);
    W e = madd(p, part, sub(p, same(1)));
    return flip(quotient(e, add(e, same(2))), bits(x));
}
/* log: m in [3/4, 3/2), and c near 1 / m by the top bits of m */
INLINE N split(W x, W *e, W *r) {
    W m = EACH(OF(getmant)(x.v[k], _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_src));
    W big = EACH(OF(getexp)(x.v[k]));
    N index = right(bits(m), DIGITS - 4);
    /* below one m is in the binade beneath: its exponent is one more */
    *e = EACH(OF(mask_add)(big.v[k], COMPARE(m.v[k], SPLAT(1), _CMP_LT_OQ), big.v[k],
                           SPLAT(1)));
    *r = fms(m, looked_up(RECIPROCAL16, index), same(1));
    return index;
}
INLINE W v_log(W x) {
    W e, r;
    N index = split(x, &e, &r);
    W part = madd(mul(r, r), by_pairs(r, LOG, COUNT(LOG)), r);
    return scaled(e, LN2[0], add(looked_up(LOGC, index), part));
}
/* exp(y log(x)), the logarithm as a sum of two: r is exact, as c is short */
INLINE W v_pow(W x, W y) {
    W e, r;
    N index = split(x, &e, &r);
    W t = scaled(e, LN2_SHORT[0], looked_up(LOGC_HIGH, index));
    W h = add(t, r);
    APART(h);
    W low = sub(r, sub(h, t)), half = mul(r, same(-0.5)), q = mul(half, r);
    APART(q);
    low = add(low, fms(half, r, q));
    W high = add(h, q);
    APART(high);
    low = add(low, sub(q, sub(high, h)));
    low = madd(mul(mul(r, r), r), by_pairs(r, LOG_CUBE, COUNT(LOG_CUBE)), low);
    low = add(low, scaled(e, LN2_SHORT[1], looked_up(LOGC_LOW, index)));
    W p = mul(y, high);
    APART(p);
    W rest = madd(y, low, fms(y, high, p));
    W shifted = nearest(p, 16 * LN2_INVERSE), n = sub(shifted, same(MAGIC));
    rest = scaled(n, -LN2[1] / 16, rest);
    return exp_of(shifted, add(scaled(n, -LN2[0] / 16, p), rest));
}
/* sin by one polynomial in what is left of the nearest multiple of pi */
INLINE W less_halves(W x, W n, real halves) {
    for (int i = 0; i < COUNT(PI); i++) x = scaled(n, -PI[i] * halves, x);
    return x;
}
INLINE W odd(W r, const real *c, int count) {
    W z = mul(r, r);
    return madd(mul(z, r), by_pairs(z, c, count), r);
}
INLINE W v_sin(W x) {
    W shifted = nearest(x, PI_INVERSE), n = sub(shifted, same(MAGIC));
    return flip(odd(less_halves(x, n, 1), SIN_WIDE, COUNT(SIN_WIDE)),
                left(bits(shifted), sizeof(real) * 8 - 1));
}
INLINE W v_cos(W x) {
    W shifted = add(scaled(x, PI_INVERSE, same(0.5)), same(MAGIC));
    W n = sub(sub(shifted, same(MAGIC)), same(0.5));
    return flip(odd(less_halves(x, n, 1), SIN_WIDE, COUNT(SIN_WIDE)),
                left(bits(shifted), sizeof(real) * 8 - 1));
}
/* sin and |cos| of one reduction */
INLINE W v_sincos(W x, W *cosine) {
    W shifted = nearest(x, 2 * PI_INVERSE), n = sub(shifted, same(MAGIC));
    W r = less_halves(x, n, 0.5), z = mul(r, r);
    W s = odd(r, SIN, COUNT(SIN));
    W c = madd(mul(z, z), by_pairs(z, COS, COUNT(COS)), scaled(z, -0.5, same(1)));
    N q = bits(shifted);
#define ODD TEST(q.v[k], INT(set1)(1))
    *cosine = EACH(OF(mask_blend)(ODD, c.v[k], s.v[k]));
    W sine = EACH(OF(mask_blend)(ODD, s.v[k], c.v[k]));
    return flip(sine, left(q, sizeof(real) * 8 - 2));
}
/* erf by a polynomial of each of 16 intervals */
INLINE W v_erf(W x) {
    W a = magnitude(x);
    a = EACH(OF(min)(a.v[k], SPLAT(15 * ERF_STEP)));
    W shifted = nearest(a, 1 / ERF_STEP), t = scaled(sub(shifted, same(MAGIC)), -ERF_STEP, a);
    W total = looked_up(ERF[ERF_TERMS - 1], bits(shifted));
    for (int i = ERF_TERMS - 2; i >= 0; i--) total = madd(total, t, looked_up(ERF[i], bits(shifted)));
    return flip(total, bits(x));
}
/* atan2 for x > 0: a / b below one less the nearest of 16 tangents, by one division */
INLINE W v_atan2(W y, W x) {
    W u = magnitude(y), a = EACH(OF(min)(u.v[k], x.v[k])), b = EACH(OF(max)(u.v[k], x.v[k]));
    W rough = mul(a, EACH(OF(rcp14)(b.v[k])));
    W shifted = nearest(EACH(OF(min)(rough.v[k], SPLAT(15. / 16))), 16);
    W c = mul(sub(shifted, same(MAGIC)), same(1. / 16));
    W t = quotient(fnma(c, b, a), madd(c, a, b));
    W near = add(looked_up(ATAN16, bits(shifted)), odd(t, ATAN, COUNT(ATAN)));
    W far = sub(same(1.5707963267948966), near);
    near = EACH(OF(mask_blend)(COMPARE(u.v[k], x.v[k], _CMP_GT_OQ), near.v[k], far.v[k]));
    return flip(near, bits(y));
}

#include "generated.h" /* polynomial's coefficients C, and A5's body, `drawn` */

INLINE W a1(W x) { return series(x, C, COUNT(C)); }
INLINE W a2(W x) {
    W cosine, sine = v_sincos(mul(x, same(3)), &cosine);
    return madd(v_exp(mul(mul(x, x), same(-0.5))), sine, mul(cosine, cosine));
}
INLINE W normal(W d) { return scaled(v_erf(mul(d, same(0.7071067811865476))), 0.5, same(0.5)); }
INLINE W a3(W s, W strike, W t, real rate, real sigma) {
    W spread = mul(same(sigma), root(t));
    W moved = scaled(t, rate + sigma * sigma / 2, v_log(quotient(s, strike)));
    W d1 = quotient(moved, spread), d2 = sub(d1, spread);
    W paid = mul(strike, v_exp(mul(t, same(-rate))));
    return fnma(paid, normal(d2), mul(s, normal(d1)));
}
INLINE W a4(W x, W y) {
    W below = madd(y, y, madd(x, x, same(1)));
    return quotient(fnma(y, y, madd(x, y, x)), below);
}
INLINE W a6(W x, W y) { return add(add(v_tanh(sub(x, y)), v_pow(x, y)), v_atan2(y, x)); }
INLINE W scale_1(W a) { return mul(a, same(1.5)); }
INLINE W scale_2(W a, W b) { return mul(add(a, b), same(1.5)); }
INLINE W scale_3(W a, W b, W c) { return mul(add(add(a, b), c), same(1.5)); }

/* Whole passes, after what is before a cache line of the output and with the rest in buffers. */
INLINE void put(real *p, W w, int behind) {
    if (behind) TURN STORE_BEHIND(p + k * LANES, w.v[k]);
    else TURN OF(storeu)(p + k * LANES, w.v[k]);
}
INLINE W get(const real *p) { return EACH(OF(loadu)(p + k * LANES)); }
INLINE const real *padded(real *buffer, const real *p, long n) {
    TURN OF(storeu)(buffer + k * LANES, SPLAT(p[0]));
    memcpy(buffer, p, n * sizeof(real));
    return buffer;
}
#define LOOP(name, behind, args, read, again)                                                    \
    void name args {                                                                             \
        long gap = -(long)out / (long)sizeof(real) & (LANES - 1), i = 0;                         \
        while (i < count) {                                                                      \
            if ((i == 0 && gap) || count - i < STEP) {                                           \
                long n = i == 0 && gap && gap < count ? gap : count - i;                         \
                real b[5][STEP] __attribute__((aligned(64)));                                    \
                n = n < STEP ? n : STEP;                                                         \
                name again;                                                                      \
                memcpy(out + i, b[4], n * sizeof(real));                                         \
                i += n;                                                                          \
            }                                                                                    \
            for (; i + STEP <= count; i += STEP) put(out + i, read, behind);                     \
        }                                                                                        \
        if (behind) _mm_sfence();                                                                \
    }
#define GET(p) get(p + i)
#define PAD(p, j) padded(b[j], p + i, n)
#define P const real *restrict
#define BOTH(name, args, read, again)                                                            \
    LOOP(name, 0, args, read, again)                                                             \
    LOOP(name##_behind, 1, args, read, again)
#define ARGS_1 (P x, real *restrict out, long count)
#define ARGS_2 (P x, P y, real *restrict out, long count)
#define ARGS_3 (P x, P y, P z, real *restrict out, long count)
#define AGAIN_1 (PAD(x, 0), b[4], STEP)
#define AGAIN_2 (PAD(x, 0), PAD(y, 1), b[4], STEP)
#define AGAIN_3 (PAD(x, 0), PAD(y, 1), PAD(z, 2), b[4], STEP)

/* One is compiled at a time: -DA1 and so on, or -DSCALE. What waits for memory has stores past
 * the caches too. */
#if defined(SCALE)
BOTH(scale1, ARGS_1, scale_1(GET(x)), AGAIN_1)
BOTH(scale2, ARGS_2, scale_2(GET(x), GET(y)), AGAIN_2)
BOTH(scale3, ARGS_3, scale_3(GET(x), GET(y), GET(z)), AGAIN_3)
#elif defined(A1)
BOTH(kernel, ARGS_1, a1(GET(x)), AGAIN_1)
#elif defined(A2)
LOOP(kernel, 0, ARGS_1, a2(GET(x)), AGAIN_1)
#elif defined(A3)
LOOP(kernel, 0, (P s, P x, P t, real rate, real sigma, real *restrict out, long count),
     a3(GET(s), GET(x), GET(t), rate, sigma),
     (PAD(s, 0), PAD(x, 1), PAD(t, 2), rate, sigma, b[4], STEP))
#elif defined(A4)
BOTH(kernel, ARGS_2, a4(GET(x), GET(y)), AGAIN_2)
#elif defined(A5)
LOOP(kernel, 0, (P x, P y, P z, P w, real *restrict out, long count),
     drawn(GET(x), GET(y), GET(z), GET(w)),
     (PAD(x, 0), PAD(y, 1), PAD(z, 2), PAD(w, 3), b[4], STEP))
#elif defined(A6)
LOOP(kernel, 0, ARGS_2, a6(GET(x), GET(y)), AGAIN_2)
#endif
