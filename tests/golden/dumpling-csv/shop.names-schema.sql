/*!40101 SET NAMES binary*/;
SET FOREIGN_KEY_CHECKS=0;
CREATE TABLE `names`(
`id` int,
`name` int
)ENGINE=MyISAM;
